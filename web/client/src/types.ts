export type FileJson = Record<string, unknown> & { id: string; state: string }
export interface FileList { files: FileJson[]; next: string | null }
export interface ListQuery { state?: string; kind?: string; limit?: number; cursor?: string }
