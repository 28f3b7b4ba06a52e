"""The screens: their keys, and their rows and widgets."""
