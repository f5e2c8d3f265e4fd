"""How Ketnoi's services talk to each other and to the world; never what one of them means."""
