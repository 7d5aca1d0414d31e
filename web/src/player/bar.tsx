// What can be done with a film, along its lower edge.
import { texts } from "../texts"

export function Controls({ isAudio }: { isAudio: boolean }) {
  return (
    <>
      {!isAudio && <media-loading-indicator slot="centered-chrome" noautohide />}
      <media-settings-menu hidden anchor="auto">
        <media-settings-menu-item>
          {texts.player.quality}
          <media-rendition-menu slot="submenu" hidden>
            <div slot="title">{texts.player.quality}</div>
          </media-rendition-menu>
        </media-settings-menu-item>
        <media-settings-menu-item>
          {texts.player.speed}
          <media-playback-rate-menu slot="submenu" hidden rates="0.5 0.75 1 1.25 1.5 2">
            <div slot="title">{texts.player.speed}</div>
          </media-playback-rate-menu>
        </media-settings-menu-item>
        <media-settings-menu-item>
          {texts.player.language}
          <media-audio-track-menu slot="submenu" hidden>
            <div slot="title">{texts.player.language}</div>
          </media-audio-track-menu>
        </media-settings-menu-item>
      </media-settings-menu>
      {!isAudio && <media-captions-menu hidden anchor="auto" />}
      <media-control-bar class="seek">
        <media-time-range>
          {!isAudio && <media-preview-thumbnail slot="preview" />}
          <media-preview-time-display slot="preview" />
        </media-time-range>
      </media-control-bar>
      <media-control-bar>
        <media-play-button notooltip />
        <media-seek-backward-button notooltip seekoffset="10" />
        <media-seek-forward-button notooltip seekoffset="10" />
        <media-mute-button notooltip />
        <media-volume-range />
        <media-time-display showduration notoggle />
        <span class="gap" />
        {!isAudio && <media-captions-menu-button notooltip />}
        <media-settings-menu-button notooltip />
        {!isAudio && <media-pip-button notooltip />}
        {!isAudio && <media-fullscreen-button notooltip />}
      </media-control-bar>
    </>
  )
}
