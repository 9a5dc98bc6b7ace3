"""What a grid file asks for, checked before anything is trained."""
