"""Where the images that `predict` answers about come from: folders, lists, archives, addresses, standard input."""
