"""The tests of IntroEval."""
