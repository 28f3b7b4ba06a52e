"""The screens: what each key does, and what is composed of rows and widgets."""
