"""Each server's part is tested in the Python that has the server; vllm-mlx brings an older mlx-lm for itself."""

from importlib.util import find_spec

collect_ignore = ["test_mlx_lm.py"] if find_spec("vllm_mlx") else ["test_vllm_mlx.py"]
