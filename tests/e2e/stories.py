"""The stories of docs/api/stories, told at a running system of contract_walk.Rig by `redocly respect`: a program that is not ours, over mutual TLS."""

import json
import pathlib
import secrets

from api_docs import API, redocly
from contract_walk import DOORS, MUNI
from intake_rig import row
from rig import CLINIC_A, fresh_number
from route_walk import PROGRAM

CERTS = {"municipal": f"muni-{MUNI}", "clinic": f"clinic-{CLINIC_A}", "portal": "portal-test"}
HEADERS = "orgSpecificCertificateTypeId,myNumber,basicFiveInfo.name,basicFiveInfo.nameKana,basicFiveInfo.address,basicFiveInfo.dateOfBirth,basicFiveInfo.sex,isNotDisclosed"


def child(rig):
    """PMH key of a resident with a subject and a ticket."""
    key, number, pmh_key = rig.resident()
    base = {"modificationSeg": "1", "myNumber": number, "municipalityIdentityKey": key, "basicFiveInfo": row("")["basicFiveInfo"]}
    ticket = "".join(secrets.choice("0123456789") for _ in range(10))
    for path, more in (("subject", {"isNotDisclosed": False}), ("ticket", {"vaccinationProgramId": PROGRAM, "ticketNumber": ticket, "doseNumber": "1"})):
        assert rig.register(MUNI, [{**base, **more}], f"/v1/vaccination/{path}-registration-tasks")["counts"]["registered"] == 1
    return pmh_key


def inputs(rig):
    """What the stories are told to begin with."""
    number, patient, given = fresh_number(), rig.resident()[2], child(rig)
    rig.canaries.add(number)
    file = f"{HEADERS}\r\nKODOMO-01,{number},試験　花子,シケン　ハナコ,岡山県,2019-05-06,2,0\r\nKODOMO-01,1,試験　二郎,シケン　ジロウ,岡山県,2019-05-06,1,0\r\n"
    for_dose = rig.mint(given, scope="immunizations questionnaire", purpose="immunization")
    return {
        "my_number": number, "resident_key": f"jumin-{secrets.token_hex(6)}", "content": file, "bytes": len(file.encode()),
        "link_key": rig.mint(patient), "link_key_for_dose": for_dose, "request": secrets.token_hex(10),
        "pmh_key": patient, "pseudonym": "ps-" + secrets.token_hex(10),
    }


def of_report(report):
    """(checks that were made, lines about those that failed). A step that was tried again, to wait for a state, counts as it ended."""
    checks, steps = 0, {}
    for file in report["files"].values():
        for flow in file["executedWorkflows"]:
            for step in flow["executedSteps"]:
                checks += len(step.get("checks", []))
                steps[flow["workflowId"], step["stepId"]] = [f"{flow['workflowId']} {step['stepId']}: {c['name']}: {c['message'][:400]}" for c in step.get("checks", []) if c["status"] != "success"]
    return checks, [line for lines in steps.values() for line in lines]


def tell(rig, folder):
    """{"checks": how many were made, "failed": lines about those that failed}. The portal's comes last: it shows who looked."""
    certs, report = rig.state / "certs", pathlib.Path(folder) / "stories.json"
    at = {door: f"https://127.0.0.1:{rig.base + offset}" for door, offset in DOORS.items()}
    mtls = {at[door]: {"clientCert": str(certs / f"{cert}.pem"), "clientKey": str(certs / f"{cert}.key"), "caCert": str(certs / "ca.pem")} for door, cert in CERTS.items()}
    servers = [word for door in DOORS for word in ("--server", f"{door}={at[door]}")]
    done = redocly("respect", *(API / f"stories/{door}.arazzo.yaml" for door in DOORS), *servers, "--mtls", json.dumps(mtls), "--input", json.dumps(inputs(rig), ensure_ascii=False),
                   "--json-output", report, check=False)
    checks, failed = of_report(json.loads(report.read_text())) if report.exists() else (0, [])
    if done.returncode and not failed and not report.exists():
        failed = [f"redocly respect: {(done.stdout + done.stderr)[-2000:]}"]
    return {"checks": checks, "failed": failed}
