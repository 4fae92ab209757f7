# syntax=docker/dockerfile:1
# NVIDIA's Triton with the torch that our models are exported with. From the root of the repository:
#   docker build -f deploy/images/triton.Dockerfile -t eddyline/triton .
# The models are data: mount the state folder at /var/lib/eddyline. Rankers say what to load.
ARG TRITON=nvcr.io/nvidia/tritonserver:25.06-py3

FROM ${TRITON}
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONPATH=/opt/eddyline
COPY deploy/images/locks/triton.txt /tmp/lock.txt
RUN python3 -m pip install --only-binary=:all: --require-hashes --target /opt/eddyline -r /tmp/lock.txt \
    && python3 -c "import torch; print(torch.__version__)" \
    && rm /tmp/lock.txt \
    && install -d -o 10001 -g 10001 /var/lib/eddyline
USER 10001:10001
WORKDIR /var/lib/eddyline
EXPOSE 8000 8001 8002
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python3", "-c", "import urllib.request as web; web.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=4)"]
CMD ["tritonserver", "--model-repository=/var/lib/eddyline/model-servers", "--model-control-mode=explicit", \
     "--exit-on-error=false", "--disable-auto-complete-config", "--http-port=8000", "--grpc-port=8001", "--metrics-port=8002"]
