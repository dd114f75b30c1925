/** A client's page, bundled for the browser: shows the chart page in a frame as hosts do, and hands its calls on to the test. */
import { AppBridge, PostMessageTransport } from "@modelcontextprotocol/ext-apps/app-bridge";

interface Hosting {
  readonly html: string;
  readonly input: Record<string, unknown>;
  readonly result: object;
  readonly theme: "light" | "dark";
}

interface HostWindow {
  callTool(name: string, input: unknown): Promise<never>;
  show(hosting: Hosting): Promise<void>;
  setTheme(theme: "light" | "dark"): void;
}

const host = globalThis as unknown as HostWindow;
let bridge: AppBridge;

host.show = async ({ html, input, result, theme }) => {
  const frame = document.createElement("iframe");
  // Without `allow-same-origin` the page is a stranger to its host, as it is in clients.
  frame.sandbox.add("allow-scripts");
  frame.style.cssText = "width:860px;height:900px;border:0";
  document.body.append(frame);
  bridge = new AppBridge(null, { name: "test host", version: "1.0.0" }, { serverTools: {} }, { hostContext: { theme } });
  bridge.oncalltool = ({ name, arguments: given }) => host.callTool(name, given);
  const ready = new Promise<void>((resolve) => {
    bridge.oninitialized = () => resolve();
  });
  const target = frame.contentWindow;
  if (target === null) throw new Error("the frame has no window");
  await bridge.connect(new PostMessageTransport(target, target));
  // What clients allow when a page names no domains: scripts and styles of its own, no evaluation, no network.
  const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'none'";
  frame.srcdoc = html.replace("<head>", `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`);
  await ready;
  await bridge.sendToolInput({ arguments: input });
  await bridge.sendToolResult(result as never);
};

host.setTheme = (theme) => bridge.setHostContext({ theme });
