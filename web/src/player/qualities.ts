// What hls.js has to choose from, offered to the controls; what is chosen there, told to hls.js.
import Hls from "hls.js"
import { language } from "../format"
import { Language, type Languages, type Qualities } from "./choices"

export function offer(hls: Hls, qualities: Qualities, languages: Languages): void {
  hls.on(Hls.Events.MANIFEST_PARSED, () => {
    qualities.offer(hls.levels.map(({ width, height, bitrate }, index) => ({ id: String(index), width, height, bitrate })))
  })
  // The one that is in the buffer is played out first; switching at once is what somebody who chooses wants.
  qualities.chosen = (index) => {
    hls.nextLevel = index
  }
  hls.on(Hls.Events.AUDIO_TRACKS_UPDATED, () => {
    const heard = hls.audioTrack
    languages.offer(
      hls.audioTracks.map((track, index) => {
        const tag = track.lang ?? "und"
        const one = new Language(String(index), track.name || language(tag), tag, index === heard)
        one.chosen = () => {
          hls.audioTrack = index
        }
        return one
      }),
    )
  })
  hls.on(Hls.Events.AUDIO_TRACK_SWITCHED, (_, { id }) => {
    languages.forEach((one, index) => one.show(index === id))
    languages.tell("change")
  })
}
