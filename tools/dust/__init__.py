"""Makes and measures the finder of dust: ``python -m tools.dust samples|glance|look|measure``.

``samples`` plants dust on pictures and writes candidates; ``glance`` trains the first, small network on their figures;
``look`` the second on their views, and writes the weights file; ``measure`` plants on other pictures and counts.
"""
