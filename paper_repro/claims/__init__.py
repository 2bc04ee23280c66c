"""How a claim of the paper is judged: findings with a verdict, and the table of all claims."""
