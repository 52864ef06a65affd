"""What durable runs leave in a database: runs, events, questions, signs of life."""
