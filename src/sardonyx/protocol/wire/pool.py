"""A descriptor pool of our own: clients such as tritonclient and kserve bring messages of the same names.

With the pool that all share, the second import would fail.
"""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
