"""Every call of the inference clients of the kserve SDK, against a server; run by a Python that has it.

PYTHON kserve_calls.py HTTP_ADDRESS GRPC_ADDRESS
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig
from kserve.protocol.infer_type import RequestedOutput

LEFT = np.arange(32, dtype=np.int32).reshape(2, 16)
RIGHT = np.full((2, 16), 3, np.int32)


def request(*, binary: bool, model: str = "simple") -> InferRequest:
    inputs = []
    for tensor, data in (("INPUT0", LEFT), ("INPUT1", RIGHT)):
        entry = InferInput(tensor, list(data.shape), "INT32")
        entry.set_data_from_numpy(data, binary_data=binary)
        inputs.append(entry)
    wanted = [RequestedOutput(name, {"binary_data": binary}) for name in ("OUTPUT1", "OUTPUT0")]
    return InferRequest(model, inputs, request_id="7", request_outputs=wanted)


def check(response: Any) -> None:
    by_name = {output.name: output.as_numpy() for output in response.outputs}
    np.testing.assert_array_equal(by_name["OUTPUT0"], LEFT + RIGHT)
    np.testing.assert_array_equal(by_name["OUTPUT1"], LEFT - RIGHT)
    assert response.id == "7"


async def over_http(url: str) -> None:
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    assert await client.is_model_ready(url, "simple")
    for binary in (False, True):
        check(await client.infer(url, request(binary=binary), model_name="simple"))
    document = request(binary=False).to_dict()
    answer = await client.infer(url, document, model_name="simple")
    outputs = answer["outputs"] if isinstance(answer, dict) else answer.outputs
    assert len(outputs) == 2
    try:
        await client.infer(url, request(binary=False, model="none"), model_name="none")
    except Exception as error:
        assert "unknown model" in str(error) or "404" in str(error), error
    else:
        raise AssertionError("an unknown model answered")
    await client.close()


async def over_grpc(address: str) -> None:
    client = InferenceGRPCClient(url=address)
    assert await client.is_server_live()
    assert await client.is_server_ready()
    assert await client.is_model_ready("simple")
    check(await client.infer(request(binary=True)))
    check(await client.infer(request(binary=False)))
    await client.close()


async def main() -> None:
    await over_http(f"http://{sys.argv[1]}")
    await over_grpc(sys.argv[2])
    print("all calls answered")


if __name__ == "__main__":
    asyncio.run(main())
