/** Answers of models, as their vendors' APIs have them. */
import { EventStream, type Json, type Reply } from "./model.js";

/** A call of Anthropic's computer toolset. */
export function member(number: number, name: string, input: object = {}): object {
  const block = { type: "tool_use", id: `toolu_${number}`, name, toolset_name: "computer" };
  return { ...block, caller: { type: "direct" }, input };
}

/** An answer of Anthropic's Messages API. It ends the turn unless it has a call. */
export function message(number: number, ...content: object[]): Json {
  const isCall = content.some((each) => (each as Json).type === "tool_use");
  return {
    id: `msg_${number}`,
    type: "message",
    role: "assistant",
    model: "claude-opus-5-5",
    content,
    stop_reason: isCall ? "tool_use" : "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 1, output_tokens: 1 },
  };
}

/** The same answer as server-sent events. */
export function streamed(whole: Json): EventStream {
  const start = { ...whole, content: [], stop_reason: null };
  const blocks = whole.content.flatMap((block: Json, index: number) => {
    const isCall = block.type === "tool_use";
    const text = JSON.stringify(block.input);
    const deltas = isCall
      ? [text.slice(0, 9), text.slice(9)].map((partial_json) => ({
          type: "input_json_delta",
          partial_json,
        }))
      : [{ type: "text_delta", text: block.text }];
    const content_block = isCall ? { ...block, input: {} } : { ...block, text: "" };
    return [
      { type: "content_block_start", index, content_block },
      ...deltas.map((delta) => ({ type: "content_block_delta", index, delta })),
      { type: "content_block_stop", index },
    ];
  });
  const { stop_reason, stop_sequence } = whole;
  const end = { delta: { stop_reason, stop_sequence }, usage: { output_tokens: 1 } };
  const events = [
    { type: "message_start", message: start },
    ...blocks,
    { type: "message_delta", ...end },
    { type: "message_stop" },
  ];
  return new EventStream(events.map((data) => [data.type, data] as const));
}

/** A call of OpenAI's computer tool. */
export function computerCall(number: number, actions: object[], checks: object[] = []): object {
  const call = { type: "computer_call", id: `cu_${number}`, call_id: `call_${number}` };
  return { ...call, status: "completed", actions, pending_safety_checks: checks };
}

/** The last words of OpenAI's model. */
export function outputMessage(text: string): object {
  const content = [{ type: "output_text", text, annotations: [], logprobs: [] }];
  return { type: "message", id: "msg_1", role: "assistant", status: "completed", content };
}

/** An answer of OpenAI's Responses API. */
export function response(number: number, ...output: object[]): Json {
  return {
    id: `resp_${number}`,
    object: "response",
    created_at: 1,
    status: "completed",
    model: "gpt-6.1-sol",
    output,
    parallel_tool_calls: true,
    tools: [],
    error: null,
    usage: {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 1,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 2,
    },
  };
}

/** The same answer as server-sent events, without the parts of an item. */
export function streamedResponse(whole: Json): EventStream {
  const events = [
    { type: "response.created", response: { ...whole, status: "in_progress", output: [] } },
    ...whole.output.flatMap((item: Json, output_index: number) =>
      ["added", "done"].map((name) => ({
        type: `response.output_item.${name}`,
        output_index,
        item,
      })),
    ),
    { type: "response.completed", response: whole },
  ];
  return new EventStream(
    events.map((data, sequence_number) => [data.type, { ...data, sequence_number }] as const),
  );
}

/** A function call of Gemini in the Interactions API. */
export function functionCall(number: number, name: string, given: object = {}): object {
  return { type: "function_call", id: `fc_${number}`, name, arguments: given };
}

/** An answer of Gemini's Interactions API. */
export function interaction(number: number, ...steps: object[]): Json {
  const isCall = steps.some((each) => (each as Json).type === "function_call");
  const status = isCall ? "requires_action" : "completed";
  const times = { created: "2026-08-01T00:00:00Z", updated: "2026-08-01T00:00:00Z" };
  return { id: `int_${number}`, model: "gemini-3.5-flash", status, steps, ...times };
}

/** The last words of Gemini. */
export function modelOutput(text: string): object {
  return { type: "model_output", content: [{ type: "text", text }] };
}

/** An answer of a server of open models: chat completions. */
export function completion(content: string): Reply {
  const choice = { index: 0, finish_reason: "stop", message: { role: "assistant", content } };
  return { id: "c", object: "chat.completion", created: 1, model: "m", choices: [choice] };
}
