// The controls are custom elements, whose attributes nobody has typed for Preact.
import "preact"

type Control = preact.JSX.HTMLAttributes<HTMLElement> & Record<string, unknown>

declare module "preact" {
  namespace JSX {
    interface IntrinsicElements {
      "media-controller": Control
      "media-control-bar": Control
      "media-play-button": Control
      "media-mute-button": Control
      "media-volume-range": Control
      "media-time-range": Control
      "media-time-display": Control
      "media-preview-thumbnail": Control
      "media-preview-time-display": Control
      "media-pip-button": Control
      "media-fullscreen-button": Control
      "media-loading-indicator": Control
      "media-seek-backward-button": Control
      "media-seek-forward-button": Control
      "media-settings-menu": Control
      "media-settings-menu-button": Control
      "media-settings-menu-item": Control
      "media-captions-menu": Control
      "media-captions-menu-button": Control
      "media-playback-rate-menu": Control
      "media-rendition-menu": Control
      "media-audio-track-menu": Control
    }
  }
}
