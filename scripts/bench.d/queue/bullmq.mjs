// BullMQ under the same load as e2e/src/bin/queue_load.rs: node bullmq.mjs PORT JOBS WORKERS PICKED RATE
import { Queue, Worker } from 'bullmq'

const [port, jobs, workers, picked, rate] = process.argv.slice(2).map(Number)
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
const options = { removeOnComplete: true, removeOnFail: true }

async function throughput () {
  const queue = new Queue('many', { connection })
  for (let added = 0; added < jobs; added += 500) {
    const count = Math.min(500, jobs - added)
    await queue.addBulk(Array.from({ length: count }, () => ({ name: 'job', data: {}, opts: options })))
  }
  let done = 0
  const begun = performance.now()
  const worker = new Worker('many', async () => {}, { connection, concurrency: workers })
  await new Promise(resolve => worker.on('completed', () => { if (++done === jobs) resolve() }))
  console.log(`${(jobs / ((performance.now() - begun) / 1000)).toFixed(0)} jobs/s`)
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
