// The unmodified supabase-js against a running homing serve: node check.mjs NODE_MODULES URL KEY
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const [folder, url, key] = process.argv.slice(2)
const { createClient } = createRequire(join(folder, 'x.js'))('@supabase/supabase-js')
const PASSWORD = 'correct horse battery'
const email = `${randomUUID()}@example.test`
const open = []

function client() {
  const made = createClient(url, key, { auth: { autoRefreshToken: false, persistSession: false } })
  open.push(made)
  return made
}

async function signedIn() {
  const made = client()
  const { data, error } = await made.auth.signInWithPassword({ email, password: PASSWORD })
  assert.equal(error, null)
  return { made, session: data.session }
}

function good({ data, error, ...rest }) {
  assert.equal(error, null)
  return { data, ...rest }
}

function patiently(promise, what) {
  let timer
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(`no ${what} in 10 s`)), 10_000)))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

const text = (words) => ({ message_id: randomUUID(), role: 'user', content: [{ type: 'text', text: words }] })
const TITLES = ['a', 'b,c', 'd"e\\f', '(g)', 'h.i', ' j', '', 'ü *%', 'null']

const first = client()
const signedUp = good(await first.auth.signUp({ email, password: PASSWORD }))
const owner = signedUp.data.user.id
assert.ok(signedUp.data.session.access_token)

const chats = TITLES.map((title) => ({ chat_id: randomUUID(), title }))
const saved = good(await first.rpc('save_chats', { p_chats: chats })).data
assert.deepEqual(saved.map((row) => row.status), chats.map(() => 'saved'))

const messages = Array.from({ length: 500 }, (_, place) => text(`no ${place + 1}`))
const appended = good(await first.rpc('append_messages', { p_chat_id: chats[0].chat_id, p_messages: messages })).data
assert.deepEqual(appended.map((row) => row.sequence_num), messages.map((_, place) => place + 1))

const refused = await first.rpc('append_messages', { p_chat_id: randomUUID(), p_messages: [text('x')] })
assert.deepEqual([refused.status, refused.error.code], [404, 'PT404'])
assert.ok(refused.error.hint)

const ids = messages.map((message) => message.message_id)
const listed = good(await first.from('messages').select('message_id, number:sequence_num').in('message_id', ids).order('sequence_num')).data
assert.deepEqual(listed.map((row) => row.message_id), ids)
assert.equal(listed[499].number, 500)
const titled = good(await first.from('chats').select('title').in('title', TITLES)).data
assert.deepEqual(new Set(titled.map((row) => row.title)), new Set(TITLES))
for (const title of TITLES) {
  assert.deepEqual(good(await first.from('chats').select('title').eq('title', title).single()).data, { title })
}
assert.equal(good(await first.from('chats').select('*').eq('chat_id', randomUUID()).maybeSingle()).data, null)
const none = await first.from('chats').select('*').eq('chat_id', randomUUID()).single()
assert.deepEqual([none.status, none.error.code], [406, 'PGRST116'])
const page = good(await first.from('messages').select('sequence_num', { count: 'exact' }).order('sequence_num', { ascending: false }).range(10, 19))
assert.deepEqual([page.count, page.data[0].sequence_num, page.data.length], [500, 490, 10])
const counted = good(await first.from('messages').select('*', { count: 'exact', head: true }).gt('sequence_num', 100).not('turn_id', 'is', 'null'))
assert.deepEqual([counted.count, counted.data], [0, null])
const written = await first.from('chats').insert({ chat_id: randomUUID(), title: 'x' })
assert.deepEqual([written.status, written.error.code], [405, 'PGRST117'])
const embedded = await first.from('chats').select('title, messages(content)')
assert.deepEqual([embedded.status, embedded.error.code], [400, 'PGRST127'])

const stranger = client()
good(await stranger.auth.signUp({ email: `${randomUUID()}@example.test`, password: PASSWORD }))
assert.deepEqual(good(await stranger.from('chats').select('*')).data, [])
assert.equal((await client().from('chats').select('*')).status, 401)

const second = await signedIn()
await second.made.realtime.setAuth(second.session.access_token)
const channel = second.made.channel(`user:${owner}`, { config: { private: true } })
const pokes = []
let told
channel.on('broadcast', { event: 'changed' }, (message) => {
  pokes.push(message.payload.head)
  told?.()
})
const state = await patiently(new Promise((resolve) => channel.subscribe((status) => resolve(status))), 'channel')
assert.equal(state, 'SUBSCRIBED')
const poked = patiently(new Promise((resolve) => (told = resolve)), 'poke')
good(await first.rpc('append_messages', { p_chat_id: chats[1].chat_id, p_messages: [text('poke')] }))
await poked
const { data: pulled } = good(await second.made.rpc('pull_changes', { p_epoch: null, p_cursor: 0, p_limit: 5000 }))
assert.equal(pokes.at(-1), pulled.head)
const sent = await patiently(channel.send({ type: 'broadcast', event: 'changed', payload: { head: 1 } }), 'answer to a broadcast')
assert.notEqual(sent, undefined)
const poking = patiently(new Promise((resolve) => (told = resolve)), 'poke after a broadcast')
good(await first.rpc('append_messages', { p_chat_id: chats[1].chat_id, p_messages: [text('again')] }))
await poking
const foreign = second.made.channel(`user:${randomUUID()}`, { config: { private: true } })
const refusal = await patiently(new Promise((resolve) => foreign.subscribe((status) => resolve(status))), 'refusal')
assert.equal(refusal, 'CHANNEL_ERROR')
await second.made.removeAllChannels()

const renewed = good(await second.made.auth.refreshSession()).data.session
assert.notEqual(renewed.refresh_token, second.session.refresh_token)
assert.equal(good(await second.made.auth.getUser()).data.user.id, owner)

const third = await signedIn()
good(await third.made.auth.signOut({ scope: 'others' }))
assert.notEqual((await second.made.auth.refreshSession()).error, null)
const fourth = await signedIn()
good(await fourth.made.auth.signOut({ scope: 'local' }))
good(await third.made.auth.refreshSession())
const fifth = await signedIn()
good(await fifth.made.auth.signOut({ scope: 'global' }))
assert.notEqual((await third.made.auth.refreshSession()).error, null)

await Promise.all(open.map((each) => each.removeAllChannels().then(() => each.realtime.disconnect())))
console.log(JSON.stringify({ pokes: pokes.length, sent }))
process.exit() // its timers would keep the process for ten seconds more
