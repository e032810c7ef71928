"""The wire: ``federation.proto``, what it was compiled to, and the way from and to the values of the protocol.

``python -m grpc_tools.protoc -Isrc --python_out=src --pyi_out=src src/knexa/service/wire/federation.proto`` compiles it anew.
"""
