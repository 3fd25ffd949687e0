"""Goes through what OpenAI's own library for Python does, against a server that runs. Ends with 0 if all of it held."""

import asyncio
import json
import sys
import urllib.request

import openai

settings = json.load(sys.stdin)
base, key, other_key = settings["base_url"], settings["key"], settings["limited_key"]
client = openai.OpenAI(base_url=base, api_key=key, timeout=300, max_retries=0)


def say(text, **more):
    return client.chat.completions.create(
        model="openclaw", messages=[{"role": "user", "content": text}], **more
    )


def conversation():
    first = say("[[say: one]]", user="python")
    assert first.choices[0].message.content == "one", first
    assert first.choices[0].finish_reason == "stop" and first.usage.total_tokens > 0, first
    second = client.chat.completions.create(
        model="scripted",
        user="python",
        messages=[
            {"role": "user", "content": "[[say: one]]"},
            {"role": "assistant", "content": "one"},
            {"role": "user", "content": "[[say: two]]"},
        ],
    )
    assert second.choices[0].message.content == "two", second
    alone = say("[[say: alone]]")
    assert alone.choices[0].message.content == "alone", alone
    assert {model.id for model in client.models.list()} == {"scripted", "openclaw", "holdfast/main"}
    assert client.models.retrieve("scripted").id == "scripted"


def streaming():
    chunks = list(say("[[say: word by word]]", user="python", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "word by word", text
    assert chunks[-1].usage.total_tokens > 0, chunks[-1]
    with client.responses.stream(model="openclaw", input="[[say: as events]]", user="python-events") as stream:
        kinds = [event.type for event in stream]
        answer = stream.get_final_response()
    assert answer.output_text == "as events", answer
    assert kinds[0] == "response.created" and kinds[-1] == "response.completed", kinds


def cancellation():
    stream = say("[[say: begun]] [[slow: 1000 chunks every 100ms]]", user="python-stopped", stream=True)
    next(iter(stream))
    stream.close()

    async def cancelled():
        many = openai.AsyncOpenAI(base_url=base, api_key=key, timeout=300, max_retries=0)
        task = asyncio.create_task(
            many.chat.completions.create(
                model="openclaw", user="python-cancelled", messages=[{"role": "user", "content": "[[hold: python]]"}]
            )
        )
        await asyncio.to_thread(urllib.request.urlopen, settings["held"], timeout=120)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            return
        raise AssertionError("it was not cancelled")

    asyncio.run(cancelled())


def tool_call():
    command = json.dumps({"command": "echo from-the-tool"})
    answer = client.responses.create(model="openclaw", input=f"[[tool: exec {command}]] [[say: done]]")
    call = next(item for item in answer.output if item.type == "mcp_call")
    assert call.name == "exec" and "from-the-tool" in call.output, call
    assert answer.output_text.endswith("done"), answer
    again = client.responses.create(model="openclaw", input="[[say: and on]]", previous_response_id=answer.id)
    assert again.output_text == "and on", again


def error():
    for wrong, kind in [
        (lambda: openai.OpenAI(base_url=base, api_key="ocpk_no").models.list(), openai.AuthenticationError),
        (lambda: client.chat.completions.create(model="gpt-x", messages=[]), openai.NotFoundError),
        (lambda: client.chat.completions.create(model="openclaw", messages=[]), openai.BadRequestError),
        (lambda: say("x", tools=[{"type": "function", "function": {"name": "f"}}]), openai.BadRequestError),
        (lambda: say("[[fail: 401 no such key]]", user="python-refused"), openai.APIStatusError),
    ]:
        try:
            wrong()
        except kind as refused:
            assert refused.body["message"], refused
            continue
        raise AssertionError(f"{kind} was not raised")


def retry():
    limited = openai.OpenAI(base_url=base, api_key=other_key, max_retries=0)
    try:
        for _ in range(100):
            limited.models.list()
    except openai.RateLimitError as refused:
        assert int(refused.response.headers["retry-after"]) >= 1
    else:
        raise AssertionError("there was no limit")
    patient = limited.with_options(max_retries=5)
    assert list(patient.models.list()), "tried again after what the answer said"


for step in [conversation, streaming, cancellation, tool_call, error, retry]:
    print(step.__name__, flush=True)
    step()
print("openai", openai.__version__, "done")
