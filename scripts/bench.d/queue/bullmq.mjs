// BullMQ under the same load as e2e/src/bin/queue_load.rs: node bullmq.mjs PORT JOBS WORKERS PICKED RATE
import { Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'

const [port, jobs, workers, picked, rate] = process.argv.slice(2).map(Number)
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
const options = { removeOnComplete: true, removeOnFail: true }

const redis = new Redis(connection)

// Seconds of a processor that the server has used.
async function serverCpu () {
  const info = await redis.info('cpu')
  const used = name => Number(info.match(new RegExp(`${name}:([0-9.]+)`))[1])
  return used('used_cpu_user') + used('used_cpu_sys')
}

async function measured (work) {
  const cpu = await serverCpu()
  const begun = performance.now()
  await work()
  const seconds = (performance.now() - begun) / 1000
  const used = await serverCpu() - cpu
  return `${(jobs / seconds).toFixed(0)} jobs/s (${(used * 1e6 / jobs).toFixed(1)} us of Redis each)`
}

async function add (queue) {
  for (let added = 0; added < jobs; added += 500) {
    const count = Math.min(500, jobs - added)
    await queue.addBulk(Array.from({ length: count }, () => ({ name: 'job', data: {}, opts: options })))
  }
}

async function workOff () {
  let done = 0
  const worker = new Worker('many', async () => {}, { connection, concurrency: workers })
  await new Promise(resolve => worker.on('completed', () => { if (++done === jobs) resolve() }))
  return worker
}

async function throughput () {
  const queue = new Queue('many', { connection })
  const added = await measured(() => add(queue))
  let worker
  const finished = await measured(async () => { worker = await workOff() })
  console.log(`added ${added}; done ${finished}`)
  await worker.close()
  await queue.close()
}

async function pickUps () {
  const queue = new Queue('few', { connection })
  const delays = []
  let enough
  const all = new Promise(resolve => { enough = resolve })
  const worker = new Worker('few', async job => {
    delays.push(performance.now() - job.data.at)
    if (delays.length === picked) enough()
  }, { connection, concurrency: Math.min(workers, 8) })
  await worker.waitUntilReady()
  const begun = performance.now()
  for (let n = 0; n < picked; n++) {
    const wait = begun + n * 1000 / rate - performance.now()
    if (wait > 0) await new Promise(resolve => setTimeout(resolve, wait))
    await queue.add('job', { at: performance.now() }, options)
  }
  await all
  delays.sort((a, b) => a - b)
  const at = part => delays[Math.floor((delays.length - 1) * part / 100)].toFixed(2)
  console.log(`pick-up delay p50 ${at(50)} ms, p99 ${at(99)} ms`)
  await worker.close()
  await queue.close()
}

if (jobs) await throughput()
if (picked) await pickUps()
process.exit(0)
