// What the API answers, by its own document.
import type { components, operations } from "./api.js"

export type FileJson = components["schemas"]["File"]
export type FileCost = components["schemas"]["FileCost"]
export type RenditionJson = components["schemas"]["Rendition"]
export type FileList = components["schemas"]["FilePage"]
export type ListQuery = NonNullable<operations["listFiles"]["parameters"]["query"]>
export type TokenWish = components["schemas"]["StreamTokenWish"]
