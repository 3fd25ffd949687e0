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
    # By itself it would never end.
    stream = say("[[say: begun]] [[hold: python-stopped]]", user="python-stopped", stream=True)
    assert any(chunk.choices[0].delta.content for chunk in stream)
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


WEATHER = {
    "name": "weather",
    "description": "Says the weather in a city.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


def person(text):
    return {"role": "user", "content": text}


def functions():
    tools = [{"type": "function", "function": WEATHER}]

    def ask(messages, **more):
        return client.chat.completions.create(
            model="openclaw", user="python-functions", messages=messages, tools=tools, **more
        )

    asked = person('[[say: looking]] [[call: weather {"city":"Kiel"}]]')
    first = ask([asked]).choices[0]
    assert first.finish_reason == "tool_calls" and first.message.content == "looking", first
    [call] = first.message.tool_calls
    assert call.type == "function" and call.function.name == "weather", call
    assert json.loads(call.function.arguments) == {"city": "Kiel"}, call
    result = {"role": "tool", "tool_call_id": call.id, "content": "rain from Kiel"}
    second = ask([asked, first.message, result]).choices[0]
    assert second.finish_reason == "stop" and not second.message.tool_calls, second
    assert "rain from Kiel" in second.message.content and "looking" not in second.message.content, second

    # Two at once and one after them, in chunks, without a session.
    two = ['[[call: weather {"city":"Kiel"}]]', '[[call: weather {"city":"Bonn"}]]']
    said = [person(f"{''.join(two)} [[say: then]] [[call: weather {{\"city\":\"Ulm\"}}]] [[say: all done]]")]
    rounds = []
    while True:
        stream = client.chat.completions.create(model="openclaw", messages=said, tools=tools, stream=True)
        text, calls, reason = "", [], None
        for chunk in stream:
            choice = chunk.choices[0]
            text += choice.delta.content or ""
            for piece in choice.delta.tool_calls or []:
                assert piece.index == len(calls), piece
                calls.append(piece)
            reason = choice.finish_reason or reason
        if reason == "stop":
            break
        assert reason == "tool_calls", reason
        cities = [json.loads(call.function.arguments)["city"] for call in calls]
        rounds.append(sorted(cities))
        told = [{"id": call.id, "type": "function", "function": call.function.model_dump()} for call in calls]
        said.append({"role": "assistant", "content": text or None, "tool_calls": told})
        said += [
            {"role": "tool", "tool_call_id": call.id, "content": f"sun in {city}"}
            for call, city in zip(calls, cities)
        ]
    assert rounds == [["Bonn", "Kiel"], ["Ulm"]] and text == "all done", (rounds, text)


def functions_of_responses():
    tools = [{"type": "function", **WEATHER}]
    asked = '[[call: weather {"city":"Kiel"}]]'
    first = client.responses.create(model="openclaw", input=asked, tools=tools)
    # The library reads whatever comes; its types say what has to be there.
    type(first).model_validate(first.to_dict())
    [call] = [item for item in first.output if item.type == "function_call"]
    assert call.name == "weather" and json.loads(call.arguments) == {"city": "Kiel"}, call
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "rain from Kiel"}
    second = client.responses.create(
        model="openclaw", previous_response_id=first.id, input=[result], tools=tools
    )
    assert "rain from Kiel" in second.output_text, second
    assert [item.type for item in second.output] == ["message"], second
    # All that was said, as a client keeps it by itself; as events.
    with client.responses.stream(model="openclaw", input=asked, tools=tools) as stream:
        kinds = [event.type for event in stream]
        third = stream.get_final_response()
    assert "response.function_call_arguments.done" in kinds and kinds[-1] == "response.completed", kinds
    [call] = [item for item in third.output if item.type == "function_call"]
    kept = call.model_dump(include={"type", "id", "call_id", "name", "arguments", "status"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "snow from Kiel"}
    with client.responses.stream(model="openclaw", input=[person(asked), kept, result], tools=tools) as stream:
        for _ in stream:
            pass
        assert "snow from Kiel" in stream.get_final_response().output_text
    # In the session that the responses named, the agent remembers.
    fourth = client.responses.create(model="openclaw", previous_response_id=second.id, input="[[say: and on]]")
    assert fourth.output_text == "and on", fourth


def functions_answered_wrongly():
    tools = [{"type": "function", "function": WEATHER}]
    asked = person('[[call: weather {"city":"Kiel"}]][[call: weather {"city":"Bonn"}]]')

    def ask(messages, **more):
        return client.chat.completions.create(
            model="openclaw", user="python-wrong", messages=messages, tools=tools, **more
        )

    first = ask([asked]).choices[0].message
    one, two = [{"role": "tool", "tool_call_id": call.id, "content": "x"} for call in first.tool_calls]
    other = {"role": "tool", "tool_call_id": "call_no", "content": "x"}
    for results, code in [
        ([], "invalid_field"),
        ([one], "result_missing"),
        ([one, one, two], "result_twice"),
        ([one, two, other], "unknown_call"),
        ([other], "unknown_call"),
        ([one, two, person("and?")], "invalid_field"),
    ]:
        try:
            ask([asked, first, *results])
        except openai.BadRequestError as refused:
            assert refused.code == code, (code, refused)
            continue
        raise AssertionError(f"{results} was taken")
    assert ask([asked, first, one, two]).choices[0].finish_reason == "stop"

    # Whoever never answers can go on with something else, and then it is too late.
    left = ask([asked]).choices[0].message
    assert ask([person("[[say: something else]]")]).choices[0].message.content == "something else"
    late = [{"role": "tool", "tool_call_id": call.id, "content": "x"} for call in left.tool_calls]
    try:
        ask([asked, left, *late])
    except openai.BadRequestError as refused:
        assert refused.code == "turn_over", refused
    else:
        raise AssertionError("what was late was taken")


def functions_that_are_wanted():
    tools = [{"type": "function", "function": function} for function in [WEATHER, {"name": "time"}]]

    def ask(text, choice, **more):
        return say(text, user="python-wanted", tools=tools, tool_choice=choice, **more)

    words = '[[call: weather {"city":"Kiel"}]]'
    for choice, again in [
        ("required", {"tools": tools, "tool_choice": "required"}),
        # The turn has its functions: whoever does not list them again may still say what he said first.
        ("required", {"tool_choice": "required"}),
        ({"type": "function", "function": {"name": "weather"}}, {"tools": tools}),
    ]:
        answer = ask(words, choice).choices[0]
        [call] = answer.message.tool_calls
        assert answer.finish_reason == "tool_calls" and call.function.name == "weather", answer
        came = {"role": "tool", "tool_call_id": call.id, "content": "rain"}
        messages = [{"role": "user", "content": words}, answer.message, came]
        end = client.chat.completions.create(model="openclaw", user="python-wanted", messages=messages, **again)
        assert end.choices[0].finish_reason == "stop", end
        assert "rain" in end.choices[0].message.content, end
    # An agent that answers instead has not done what was asked of it.
    for stream in [False, True]:
        try:
            answer = ask("[[say: no]]", "required", stream=stream)
            print(list(answer))
        except openai.APIError as refused:
            assert refused.code == "function_not_called", refused
            continue
        raise AssertionError("an answer without the call was taken")
    assert ask("[[say: no]]", "auto").choices[0].message.content == "no"


def error():
    for wrong, kind, status in [
        (lambda: openai.OpenAI(base_url=base, api_key="ocpk_no").models.list(), openai.AuthenticationError, 401),
        (lambda: client.chat.completions.create(model="gpt-x", messages=[]), openai.NotFoundError, 404),
        (lambda: client.chat.completions.create(model="openclaw", messages=[]), openai.BadRequestError, 400),
        (lambda: say("x", tool_choice="required"), openai.BadRequestError, 400),
        # Of the provider, with the tenant's own key.
        (lambda: say("[[fail: 401 no such key]]", user="python-refused"), openai.APIStatusError, 424),
    ]:
        try:
            wrong()
        except kind as refused:
            assert refused.status_code == status and refused.body["message"], refused
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
    # Both by itself, as often as it does unless told otherwise: after as long as the answer said, and when its connection broke before
    # there was one.
    for address, its_key, name in [(base, other_key, "python-limited"), (settings["losing"], key, "python-lost")]:
        patient = openai.OpenAI(base_url=address, api_key=its_key)
        answer = patient.chat.completions.with_raw_response.create(
            model="openclaw",
            user=name,
            messages=[person("[[say: once]]")],
            extra_headers={"Idempotency-Key": name},
        )
        assert answer.retries_taken > 0, f"{name} was not sent again"
        assert "once" in answer.parse().choices[0].message.content, answer
        session = patient.with_options(max_retries=5).get(f"{settings['sessions']}/{name}", cast_to=object)
        assert len(session["messages"]) == 2, session


for step in [
    conversation,
    streaming,
    cancellation,
    tool_call,
    functions,
    functions_of_responses,
    functions_answered_wrongly,
    functions_that_are_wanted,
    error,
    retry,
]:
    print(step.__name__, flush=True)
    step()
print("openai", openai.__version__, "done")
