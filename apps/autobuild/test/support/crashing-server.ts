// A server in a process of its own, for tests to kill. Arguments: data folder, repository. Prints its builds' states.
import { createAutobuild } from "../../src/autobuild.ts";

const [dataDir = "", repository = ""] = process.argv.slice(2);
const autobuild = createAutobuild({ dataDir, repositories: [repository] });
autobuild.on("buildChanged", (build) => console.log(`${build.id} ${build.state}`));
await autobuild.start();
