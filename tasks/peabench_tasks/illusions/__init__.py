"""Networks that hold an illusion which no other family has, and what is known of every illusion."""
