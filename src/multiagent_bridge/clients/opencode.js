// Multiagent Bridge: written by `mab init --hooks`, taken out by `mab init --undo`.
// Mail wakes the session of the terminal interface that was at work last, once it is idle. Other runs arm nothing.
import { spawn } from "node:child_process"

const COMMAND = []
const OPTIONS = []
const TERMINAL = /[\\/]tui[\\/]worker\.[jt]s$/
const ANSWER_MILLISECONDS = 10_000
const WAKE_STATUS = 2
const LASTING_MILLISECONDS = 60_000

// One run of `mab hook EVENT`: its process, and a promise of its exit status and what it wrote.
function hook(event, told) {
  const child = spawn(COMMAND[0], [...COMMAND.slice(1), "hook", event, ...OPTIONS], { stdio: "pipe", windowsHide: true })
  const heard = { out: "", err: "" }
  child.stdout.on("data", (part) => (heard.out += part))
  child.stderr.on("data", (part) => (heard.err += part))
  child.stdin.on("error", () => {})
  child.stdin.end(JSON.stringify(told))
  const ended = new Promise((resolve) => {
    child.on("error", () => resolve({ status: 0, ...heard }))
    child.on("close", (status) => resolve({ status, ...heard }))
  })
  return { child, ended }
}

async function answered(event, told) {
  const { child, ended } = hook(event, told)
  const limit = setTimeout(() => child.kill(), ANSWER_MILLISECONDS)
  const { out } = await ended
  clearTimeout(limit)
  try {
    return JSON.parse(out)
  } catch {
    return {}
  }
}

export const MultiagentBridge = async ({ client }) => {
  if (!TERMINAL.test(process.argv[1] ?? "")) return {}
  const asked = new Map() // session: the agent and the model that its person chose last
  const ours = new Set() // what we said ourselves and has not come by as a message yet
  let last = "" // the session that was at work last
  let interrupted = ""
  let waker // { id, child } while one waits

  const dismiss = () => {
    waker?.child.kill()
    waker = undefined
  }

  const arm = async (id) => {
    if (waker?.id === id || id !== last || !asked.has(id)) return
    dismiss()
    const began = Date.now()
    const { child, ended } = hook("wake", { session_id: id })
    const mine = (waker = { id, child })
    const { status, err } = await ended
    if (waker !== mine) return
    waker = undefined
    if (status === WAKE_STATUS && err.trim()) await say(id, err.trim())
    else if (status === 0 && Date.now() - began > LASTING_MILLISECONDS) await arm(id)
  }

  // With the agent and the model of its person: the default ones might be allowed more.
  const say = async (id, text) => {
    ours.add(text)
    await client.session.prompt({ path: { id }, body: { ...asked.get(id), parts: [{ type: "text", text }] } })
  }

  return {
    "chat.message": async ({ sessionID }, { message, parts }) => {
      const said = parts.filter((part) => part.type === "text" && !part.synthetic)
      const text = said.map((part) => part.text).join("\n")
      if (ours.delete(text)) return
      const { data } = await client.session.get({ path: { id: sessionID } })
      if (!data || data.parentID) return
      last = sessionID
      asked.set(sessionID, { agent: message.agent, model: message.model, variant: message.model?.variant })
      dismiss()
      const told = await answered("prompt", { session_id: sessionID, prompt: text })
      const context = told.hookSpecificOutput?.additionalContext
      if (typeof context !== "string" || !said.length) return
      const { id, messageID } = said.at(-1)
      parts.push({ id: `${id}mab`, sessionID, messageID, type: "text", text: context, synthetic: true })
    },
    event: async ({ event }) => {
      const id = event.properties?.sessionID
      if (event.type === "session.error" && event.properties.error?.name === "MessageAbortedError") interrupted = id
      else if (event.type === "session.deleted" && id === waker?.id) dismiss()
      else if (event.type === "session.status" && event.properties.status?.type === "busy" && id === waker?.id) dismiss()
      else if (event.type === "session.idle") {
        // who interrupts the agent wants it to stop: no mail sets it going before the next prompt
        if (interrupted === id) interrupted = ""
        else arm(id).catch(() => {})
      }
    },
    dispose: async () => dismiss(),
  }
}
