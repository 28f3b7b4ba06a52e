"""How far the model's scores agree with people's, and what corrects them."""
