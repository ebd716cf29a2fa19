"""Anyone's torch.optim class in our runs. Our rules for anyone's loop are in `torch_optim`."""
