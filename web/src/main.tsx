// Where the page begins.
import "./style/all.css"
import { render } from "preact"
import { App } from "./app"
import { begin } from "./session"

begin()
const root = document.getElementById("app")
if (root) render(<App />, root)
