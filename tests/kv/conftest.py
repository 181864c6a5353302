"""Each server's part is tested in the Python that has the server."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("vllm_mlx") else ["test_vllm_mlx.py"]
