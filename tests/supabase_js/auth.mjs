// The unmodified supabase-js signs in by codes and links: node auth.mjs NODE_MODULES URL KEY
// Asks for what a mail holds by a line `code ADDRESS` or `link ADDRESS`, and reads the answer from standard input.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [folder, url, key] = process.argv.slice(2)
const { createClient } = createRequire(join(folder, 'x.js'))('@supabase/supabase-js')
const PASSWORD = 'correct horse battery'
const APP = 'http://localhost:3000/welcome'
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const someone = () => `${randomUUID()}@example.test`

function client(flowType = 'implicit') {
  const kept = new Map()
  const storage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
    removeItem: (name) => void kept.delete(name),
  }
  return createClient(url, key, { auth: { autoRefreshToken: false, flowType, storage } })
}

async function mailed(what, email) {
  console.log(`${what} ${email}`)
  return (await lines.next()).value
}

function good({ data, error }) {
  assert.equal(error, null)
  return data
}

async function refused(promise, code) {
  const { error } = await promise
  assert.equal(error?.code, code)
}

const email = someone()
const first = client()
good(await first.auth.signInWithOtp({ email, options: { data: { name: 'Anna' } } }))
await refused(first.auth.verifyOtp({ email, token: '000000', type: 'email' }), 'otp_expired')
const made = good(await first.auth.verifyOtp({ email, token: await mailed('code', email), type: 'email' }))
assert.deepEqual(made.user.user_metadata, { name: 'Anna' })
await refused(first.auth.updateUser({ password: 'short' }), 'weak_password')
good(await first.auth.updateUser({ password: PASSWORD }))
await refused(first.auth.updateUser({ password: PASSWORD }), 'same_password')
assert.equal(good(await first.auth.updateUser({ data: { town: 'Kiel' } })).user.user_metadata.town, 'Kiel')
good(await first.auth.reauthenticate())

const second = client()
good(await second.auth.signInWithPassword({ email, password: PASSWORD }))
good(await first.auth.signOut({ scope: 'others' }))
await refused(second.auth.refreshSession(), 'refresh_token_not_found')

const third = client()
good(await third.auth.resetPasswordForEmail(email))
good(await third.auth.verifyOtp({ email, token: await mailed('code', email), type: 'recovery' }))
good(await third.auth.updateUser({ password: `${PASSWORD}!` }))
await refused(client().auth.signInWithPassword({ email, password: PASSWORD }), 'invalid_credentials')

const moved = someone()
assert.equal(good(await third.auth.updateUser({ email: moved })).user.new_email, moved)
good(await third.auth.verifyOtp({ email: moved, token: await mailed('code', moved), type: 'email_change' }))
assert.equal(good(await third.auth.getUser()).user.email, moved)

const fourth = client('pkce')
good(await fourth.auth.signInWithOtp({ email: moved, options: { emailRedirectTo: APP } }))
const led = new URL(await mailed('link', moved))
assert.equal(good(await fourth.auth.exchangeCodeForSession(led.searchParams.get('code'))).user.id, made.user.id)
good(await fourth.auth.signOut())
await refused(third.auth.refreshSession(), 'refresh_token_not_found')

const fifth = client()
good(await fifth.auth.signInWithOtp({ email: moved, options: { emailRedirectTo: APP, shouldCreateUser: false } }))
const parts = new URLSearchParams(new URL(await mailed('link', moved)).hash.slice(1))
const tokens = { access_token: parts.get('access_token'), refresh_token: parts.get('refresh_token') }
assert.equal(good(await fifth.auth.setSession(tokens)).user.id, made.user.id)
console.log('done')
process.exit(0)
