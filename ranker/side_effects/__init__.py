"""What follows an answer: the ready timeline, the rows of `rank.served`. Never waited for."""
