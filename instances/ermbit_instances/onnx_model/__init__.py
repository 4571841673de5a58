"""ONNX models as certificates: a graph is matched with a network, and its weights are taken over.

Reading order: ``file`` (bytes to a checked model), ``graph`` (operators, in order, into blocks),
``chain`` (what each operator does to the tensor at hand), ``window`` (convolutions and pools as
matrices), ``blocks`` (a linear map with its activation), ``layers`` (blocks against the network).
"""
