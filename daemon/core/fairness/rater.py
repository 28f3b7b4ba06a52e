"""The identity of a rater for its fairness card: the model, the rubric and the parameters."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from daemon.core.content.provenance_identity import identity as of_class

_DECIDES = ("prompt_sha256", "schema_sha256", "parameters")


def identity(provenance: Mapping[str, Any]) -> str:
    """The identity of the rater in the provenance of a rating, as 16 hexadecimal digits.

    It is that of the weights, by their digest or else by the model's name, of the prompt, the schema and the
    parameters, and whether the confidence is asked for with the voice. The context's size does not count.
    """
    known = of_class(provenance)
    model = provenance.get("digest") or provenance.get("model")
    decides = [model, provenance.get("confidence_from"), *(known.get(key) for key in _DECIDES)]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
