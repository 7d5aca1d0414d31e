// How far something has got.

export function Bar({ value, name, tone = "" }: { value: number; name: string; tone?: string }) {
  const percent = Math.floor(Math.min(1, Math.max(0, value)) * 100)
  return (
    <div class={`bar ${tone}`} role="progressbar" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={percent}>
      <div style={{ width: `${percent}%` }} />
    </div>
  )
}
