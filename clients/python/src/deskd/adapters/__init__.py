"""Connects the tools of AI models to a desktop.

| module | models |
| --- | --- |
| `anthropic` | Anthropic: the computer toolset and the three older versions of the tool |
| `anthropic_toolset` | the same as a driver for the toolset class of Anthropic's SDK |
| `openai` | OpenAI: `computer` and `computer_use_preview` of the Responses API |
| `openai_agents` | the same as a `Computer` of the Agents SDK |
| `gemini` | Gemini: desktop, browser and legacy functions |
| `ui_tars`, `qwen`, `opencua`, `osworld` | open models, and OSWorld's action spaces |
| `inspect_ai` | the `computer` tool of inspect_ai |
| `recipes` | ready-made hooks: `open_with` opens pages with the programs of the desktop |

Every adapter keeps the same rules. The calls of one turn are performed in order as one step, and
stop at the first that fails. Each call gets a result. Coordinates outside the picture are refused,
never moved. A failure card reaches the model as an image and as an error, where the vendor has a
channel for errors. Pictures keep within the model's limits. `confirm` asks a person before each call,
and only the answer `True` allows it. A call that names pixels is refused until the model has seen a
screenshot.
"""
