// One use of the npm SDK after another user's habits: node npm_sdk.cjs WHAT URL, in a folder with node_modules.
// Prints one line of JSON for the test to look at.

const { createRequire } = require("node:module");
const sdk = createRequire(`${process.cwd()}/`);
const Anthropic = sdk("@anthropic-ai/sdk");
const { jsonSchemaOutputFormat } = sdk("@anthropic-ai/sdk/helpers/json-schema");
const { betaTool } = sdk("@anthropic-ai/sdk/helpers/beta/json-schema");

const [what, baseURL] = process.argv.slice(2);
const client = new Anthropic({ baseURL, apiKey: "client-secret", maxRetries: 0 });
const model = "claude-opus-5-5";
const messages = [{ role: "user", content: "hi" }];
const question = { model, max_tokens: 100, messages };
const city = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};

const uses = {
  create: () => client.messages.create({ ...question, system: "Be brief.", stop_sequences: ["END"] }),

  async stream() {
    const stream = client.messages.stream({ ...question, tools: [{ name: "weather", input_schema: city }] });
    let text = "";
    const inputs = [];
    stream.on("text", (piece) => { text += piece; });
    stream.on("inputJson", (_piece, soFar) => { inputs.push(soFar); });
    return { text, ...(await stream.finalMessage()), seen: text, last_input: inputs.at(-1) };
  },

  // The proxy has seen the request when the first event arrives; then this client leaves.
  async abort() {
    const stream = client.messages.stream(question);
    stream.on("text", () => stream.abort());
    return stream.done().then(() => ({ ended: "in peace" }), (error) => ({ ended: error.constructor.name }));
  },

  async runner() {
    const asked = [];
    const weather = betaTool({
      name: "weather", description: "The weather of a city.", inputSchema: city,
      run: (input) => { asked.push(input.city); return "sunny"; },
    });
    const final = await client.beta.messages.toolRunner({ ...question, tools: [weather] });
    return { asked, content: final.content, stop_reason: final.stop_reason };
  },

  async structured() {
    const format = jsonSchemaOutputFormat(city);
    const message = await client.messages.parse({ ...question, output_config: { format } });
    return { parsed: message.parsed_output };
  },

  count: () => client.messages.countTokens({ model, messages }),

  async models() {
    const listed = [];
    for await (const one of client.models.list()) listed.push(one);
    return { listed, one: await client.models.retrieve(listed[0].id) };
  },

  async error() {
    try {
      return await client.messages.create(question);
    } catch (error) {
      return { class: error.constructor.name, status: error.status, type: error.type, request_id: error.requestID };
    }
  },
};

uses[what]().then((result) => console.log(JSON.stringify(result)));
