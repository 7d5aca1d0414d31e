// Makes the types of what the client asks for, of the API's document: reelgate openapi | node api.mjs > src/api.ts
import openapiTS, { astToString } from "openapi-typescript"

const SPOKEN = [
  ["get", "/v1/files"],
  ["get", "/v1/files/{file_id}/info"],
  ["get", "/v1/files/{file_id}/cost"],
  ["post", "/v1/files/token"],
]

const pieces = []
for await (const piece of process.stdin) pieces.push(piece)
const whole = JSON.parse(Buffer.concat(pieces).toString())
const paths = {}
for (const [method, path] of SPOKEN) {
  const { operationId, parameters, requestBody, responses } = whole.paths[path][method]
  const { description, content } = responses["200"]
  paths[path] = { ...paths[path], [method]: { operationId, parameters, requestBody, responses: { 200: { description, content } } } }
}

/** What is named there, and what that names. */
const schemas = {}
function keep(value) {
  if (value === null || typeof value !== "object") return
  const name = typeof value.$ref === "string" ? value.$ref.replace("#/components/schemas/", "") : null
  if (name !== null && !(name in schemas)) {
    schemas[name] = whole.components.schemas[name]
    keep(schemas[name])
  }
  for (const [key, inner] of Object.entries(value)) if (key !== "example" && key !== "examples") keep(inner)
}
keep(paths)

const { openapi, info } = whole
const components = { schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))) }
const ast = await openapiTS({ openapi, info: { title: info.title, version: "" }, paths, components })
process.stdout.write(`// Made by api.mjs. Not to be changed by hand.\n${astToString(ast)}`)
