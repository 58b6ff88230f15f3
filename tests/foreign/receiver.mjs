// A receiver for the fleet: Transact Result and IPN. As receiver.py, on the verifier of README.md, saved
// as fleet_verify.mjs beside this file.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { ipnIsOurs, signatureIsOurs } from "./fleet_verify.mjs";

const settings = JSON.parse(process.argv[2]);
let gateway = "";

/** Transact Result: any 2xx acknowledges it. */
async function result(headers, body) {
  const verified = signatureIsOurs(settings.secret, body, headers.signature ?? "");
  return { verified, told: JSON.parse(body), status: verified ? 202 : 401, text: "" };
}

/** IPN: the word `Success` acknowledges it, once Transaction Query agrees. */
async function ipn(_headers, body) {
  const told = JSON.parse(body);
  const verified = ipnIsOurs(settings.key, body, settings.serialised) && (await isPaid(told));
  return { verified, told, status: 200, text: verified ? "Success" : "Fail" };
}

async function isPaid(told) {
  const url = `${gateway}/api/transactions/${told.transactionid}`;
  const answer = await fetch(url, { headers: { Authorization: settings.apiKey } });
  const found = await answer.json();
  const fields = ["url", "accountID", "transactionid", "amount", "msisdn"];
  return answer.ok && found.status === "SUCCESS" && fields.every((field) => found[field] === told[field]);
}

const paths = { "/result": result, "/ipn": ipn };

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", async () => {
    const body = Buffer.concat(chunks);
    let answer;
    try {
      answer = await paths[request.url](request.headers, body);
    } catch (error) {
      answer = { verified: false, told: String(error), status: 400, text: "" };
    }
    const { verified, told, status, text } = answer;
    const signature = request.headers.signature ?? null;
    console.log(JSON.stringify({ path: request.url, verified, told, body: body.toString(), signature }));
    response.writeHead(status, { "Content-Type": "text/plain" }).end(text);
  });
});

server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
createInterface({ input: process.stdin })
  .once("line", (line) => (gateway = line.trim()))
  .once("close", () => process.exit(0));
