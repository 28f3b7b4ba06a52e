"""What each life would do anew in its own process, done once before it is forked."""

import functools
import gc
import sys

import pynvml
from pydantic import BaseModel

from daemon.llm import prompts

_OBJECTS = 50_000  # that are new before the collector looks at them: a life is short


def warm() -> None:
    """Do it, and leave the pages of it shared."""
    assert pynvml  # the reading of the GPU imports it
    prompts.load_prompt = functools.cache(prompts.load_prompt)
    prompts.load_prompts(None)
    for name in list(sys.modules):
        for each in list(vars(sys.modules[name]).values()) if name.startswith("daemon.") else ():
            if isinstance(each, type) and issubclass(each, BaseModel) and each is not BaseModel:
                each.model_rebuild()
    gc.collect()
    gc.freeze()  # so that the collector of a life leaves these pages shared
    gc.set_threshold(_OBJECTS)
