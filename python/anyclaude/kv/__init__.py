"""The prefix cache inside of MLX servers: KV states kept in memory and on disk, shared by all requests."""
