"""llama.cpp's own HTTP server out of the wheel `xllamacpp`; runs in that wheel's environment.

    llama_server.py MODEL.gguf PORT
"""

import signal
import sys
import threading

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames, params.port = ["127.0.0.1"], int(sys.argv[2])
params.n_ctx, params.n_parallel = 65536, 1
params.use_jinja = True
params.warmup = False
params.n_gpu_layers = 0

server = xllamacpp.Server(params)
print("listening on", server.listening_address, flush=True)

done = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: done.set())
while not done.wait(0.5):
    pass
