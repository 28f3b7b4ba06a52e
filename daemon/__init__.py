"""IntroEval's daemon: a folder of self-introduction videos in, one result file for each of them out."""

__version__ = "0.1.0"
