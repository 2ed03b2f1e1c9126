"""Networks: generator, discriminator, and the fixed feature networks."""
