// Goes through what OpenAI's own library for Node does, against a server that runs. Ends with 0 if all of it held.

import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const settings = JSON.parse(await text(process.stdin));
const require = createRequire(`${settings.modules}/`);
const { default: OpenAI } = await import(pathToFileURL(require.resolve('openai')).href);
const client = new OpenAI({ baseURL: settings.base_url, apiKey: settings.key, timeout: 300_000, maxRetries: 0 });

const say = (content, more = {}) =>
  client.chat.completions.create({ model: 'openclaw', messages: [{ role: 'user', content }], ...more });

const steps = {
  async conversation() {
    const first = await say('[[say: one]]', { user: 'node' });
    assert.equal(first.choices[0].message.content, 'one');
    const messages = [
      { role: 'user', content: '[[say: one]]' },
      { role: 'assistant', content: 'one' },
      { role: 'user', content: '[[say: two]]' },
    ];
    const second = await client.chat.completions.create({ model: 'scripted', user: 'node', messages });
    assert.equal(second.choices[0].message.content, 'two');
  },
  async streaming() {
    let said = '';
    for await (const chunk of await say('[[say: word by word]]', { user: 'node', stream: true })) {
      said += chunk.choices[0]?.delta?.content ?? '';
    }
    assert.equal(said, 'word by word');
    const stream = client.responses.stream({ model: 'openclaw', input: '[[say: as events]]', user: 'node-events' });
    const answer = await stream.finalResponse();
    assert.equal(answer.output_text, 'as events');
  },
  async cancellation() {
    // By itself it would never end.
    const stream = await say('[[say: begun]] [[hold: node-stopped]]', { user: 'node-stopped', stream: true });
    for await (const chunk of stream) if (chunk.choices[0].delta.content) break;
    const stop = new AbortController();
    const messages = [{ role: 'user', content: '[[hold: node]]' }];
    const asked = client.chat.completions.create(
      { model: 'openclaw', user: 'node-cancelled', messages },
      { signal: stop.signal },
    );
    const ended = assert.rejects(asked, OpenAI.APIUserAbortError);
    assert.ok((await fetch(settings.held)).ok);
    stop.abort();
    await ended;
  },
  async tool_call() {
    const command = JSON.stringify({ command: 'echo from-the-tool' });
    const answer = await client.responses.create({ model: 'openclaw', input: `[[tool: exec ${command}]] [[say: done]]` });
    const call = answer.output.find((item) => item.type === 'mcp_call');
    assert.equal(call.name, 'exec');
    assert.match(call.output, /from-the-tool/);
    assert.match(answer.output_text, /done$/);
  },
  async functions() {
    const asked = [];
    const weather = ({ city }) => {
      asked.push(city);
      return `rain from ${city}`;
    };
    const parameters = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };
    const description = 'Says the weather in a city.';
    const words = '[[call: weather {"city":"Kiel"}]][[call: weather {"city":"Bonn"}]] [[call: weather {"city":"Ulm"}]]';
    // The library itself carries the functions out and goes on until there is an answer.
    for (const stream of [false, true]) {
      const runner = client.chat.completions.runTools({
        model: 'openclaw',
        user: `node-functions-${stream}`,
        messages: [{ role: 'user', content: words }],
        tools: [{ type: 'function', function: { name: 'weather', description, parameters, parse: JSON.parse, function: weather } }],
        stream,
      });
      assert.match(await runner.finalContent(), /rain from Ulm/);
      assert.deepEqual(asked.splice(0).sort(), ['Bonn', 'Kiel', 'Ulm']);
    }

    const tools = [{ type: 'function', name: 'weather', description, parameters, strict: false }];
    const input = '[[call: weather {"city":"Kiel"}]]';
    const call = (answer) => answer.output.find((item) => item.type === 'function_call');
    const whole = await client.responses.create({ model: 'openclaw', input, tools });
    const streamed = await client.responses.stream({ model: 'openclaw', input, tools }).finalResponse();
    for (const first of [whole, streamed]) {
      assert.deepEqual(JSON.parse(call(first).arguments), { city: 'Kiel' });
      const output = { type: 'function_call_output', call_id: call(first).call_id, output: 'snow' };
      const on = { model: 'openclaw', previous_response_id: first.id, input: [output], tools };
      assert.match((await client.responses.create(on)).output_text, /snow/);
    }
    const wrong = [{ type: 'function_call_output', call_id: 'call_no', output: 'x' }];
    await assert.rejects(client.responses.create({ model: 'openclaw', input: wrong, tools }), (refused) => {
      assert.ok(refused instanceof OpenAI.BadRequestError);
      return refused.code === 'unknown_call';
    });
    // One that is never answered is left behind.
    const left = await client.responses.create({ model: 'openclaw', input, tools, user: 'node-left' });
    assert.equal(call(left).name, 'weather');
    const next = await client.responses.create({ model: 'openclaw', input: '[[say: next]]', user: 'node-left' });
    assert.equal(next.output_text, 'next');
  },
  async functions_that_are_wanted() {
    const tools = ['weather', 'time'].map((name) => ({ type: 'function', function: { name, parameters: { type: 'object', properties: {} } } }));
    const ask = (words, tool_choice) => say(words, { user: 'node-wanted', tools, tool_choice });
    for (const choice of ['required', { type: 'function', function: { name: 'weather' } }]) {
      const { message } = (await ask('[[call: weather {}]]', choice)).choices[0];
      const [call] = message.tool_calls;
      assert.equal(call.function.name, 'weather');
      const came = { role: 'tool', tool_call_id: call.id, content: 'rain' };
      const messages = [{ role: 'user', content: '[[call: weather {}]]' }, message, came];
      const [end] = (await client.chat.completions.create({ model: 'openclaw', user: 'node-wanted', messages, tools, tool_choice: choice })).choices;
      assert.equal(end.finish_reason, 'stop');
      assert.match(end.message.content, /rain/);
    }
    await assert.rejects(ask('[[say: no]]', 'required'), (refused) => {
      assert.equal(refused.status, 424);
      return refused.code === 'function_not_called';
    });
  },
  async error() {
    const nobody = new OpenAI({ baseURL: settings.base_url, apiKey: 'ocpk_no', maxRetries: 0 });
    await assert.rejects(nobody.models.list(), OpenAI.AuthenticationError);
    await assert.rejects(say('x', { model: 'gpt-x' }), OpenAI.NotFoundError);
    await assert.rejects(say('  '), OpenAI.BadRequestError);
    await assert.rejects(say('[[fail: 401 no such key]]', { user: 'node-refused' }), (refused) => refused.status === 424);
  },
  async retry() {
    const limited = new OpenAI({ baseURL: settings.base_url, apiKey: settings.limited_key, maxRetries: 0 });
    await assert.rejects(async () => {
      for (let request = 0; request < 100; request += 1) await limited.models.list();
    }, OpenAI.RateLimitError);
    // Both by itself, as often as it does unless told otherwise: after as long as the answer said, and when its connection broke before
    // there was one.
    for (const [baseURL, apiKey, user] of [
      [settings.base_url, settings.limited_key, 'node-limited'],
      [settings.losing, settings.key, 'node-lost'],
    ]) {
      let sent = 0;
      const counting = (...request) => {
        sent += 1;
        return fetch(...request);
      };
      const patient = new OpenAI({ baseURL, apiKey, fetch: counting });
      const asked = { model: 'openclaw', user, messages: [{ role: 'user', content: '[[say: once]]' }] };
      const answer = await patient.chat.completions.create(asked, { headers: { 'Idempotency-Key': user } });
      assert.ok(sent > 1, `${user} was not sent again`);
      assert.match(answer.choices[0].message.content, /once/);
      const session = await patient.get(`${settings.sessions}/${user}`, { maxRetries: 5 });
      assert.equal(session.messages.length, 2);
    }
  },
};

for (const [name, step] of Object.entries(steps)) {
  console.log(name);
  await step();
}
