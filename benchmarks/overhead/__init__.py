"""What share of their time workers idle because of us: loop, strategy, pool and storage are real, the work is not."""
