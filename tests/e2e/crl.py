"""Lists of revoked certificates as a certification authority makes them, by an implementation that is not ours."""

import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization


class Issuer:
    def __init__(self, certs, path):
        self.certs, self.path, self.number = certs, path, 0
        self.cert = x509.load_pem_x509_certificate((certs / "ca.pem").read_bytes())
        self.key = serialization.load_pem_private_key((certs / "ca.key").read_bytes(), None)

    def serial(self, name):
        return x509.load_pem_x509_certificate((self.certs / f"{name}.pem").read_bytes()).serial_number

    def pem(self, *names, more=(), life=3600, age=60, number=None):
        self.number += number is None
        now = datetime.datetime.utcnow()
        made = (x509.CertificateRevocationListBuilder().issuer_name(self.cert.subject).last_update(now - datetime.timedelta(seconds=age))
                .next_update(now + datetime.timedelta(seconds=life)).add_extension(x509.CRLNumber(self.number if number is None else number), False))
        for serial in [self.serial(n) for n in names] + list(more):
            made = made.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build())
        return made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def put(self, data):
        """As an operator should: beside it, then renamed. Atomic."""
        new = self.path.with_suffix(".new")
        new.write_bytes(data)
        os.replace(new, self.path)

    def revoke(self, *names, **more):
        self.put(self.pem(*names, **more))
