"""What the tests share: labs, stand-ins and hostile files."""
