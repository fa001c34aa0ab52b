"""What is pulled: seeded, so that every run has the same digests, and laid out as the paths of the registry API."""

import hashlib
import json
import os
from dataclasses import dataclass, field

MIB = 1 << 20
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
REPOSITORY = "bench/data"


@dataclass(frozen=True)
class Content:
    """A blob or a manifest by digest, with the path that it has in its repository."""

    repository: str
    kind: str
    digest: str
    size: int

    @property
    def path(self):
        return f"/v2/{self.repository}/{self.kind}/{self.digest}"


@dataclass(frozen=True)
class Image:
    """A tag, its manifest, and the blobs that the manifest names, the configuration first."""

    tag: str
    manifest: Content
    blobs: tuple

    @property
    def tag_path(self):
        return f"/v2/{self.manifest.repository}/manifests/{self.tag}"


@dataclass
class Dataset:
    root: str
    image: Image = None
    blobs: dict = field(default_factory=dict)
    small: list = field(default_factory=list)
    cold: Content = None
    images: list = field(default_factory=list)

    @property
    def manifests(self):
        """The digest of the manifest behind each path, for the upstream's Docker-Content-Digest."""
        for image in [self.image, *self.images]:
            yield image.tag_path, image.manifest.digest
            yield image.manifest.path, image.manifest.digest


def _pieces(name, size):
    """Incompressible bytes: one seeded MiB again and again, each time with its number in front."""
    block = hashlib.shake_128(name.encode()).digest(MIB)
    for number in range(0, size, MIB):
        yield (number.to_bytes(8, "big") + block[8:])[: size - number]


class Writer:
    def __init__(self, root):
        self.root = root

    def blob(self, name, size, repository=REPOSITORY):
        return self.put("blobs", repository, _pieces(name, size))

    def put(self, kind, repository, pieces):
        directory = os.path.join(self.root, "v2", repository, kind)
        os.makedirs(directory, exist_ok=True)
        hasher, size, partial = hashlib.sha256(), 0, os.path.join(directory, "partial")
        with open(partial, "wb") as file:
            for piece in pieces:
                hasher.update(piece)
                size += file.write(piece)
        digest = "sha256:" + hasher.hexdigest()
        os.rename(partial, os.path.join(directory, digest))
        return Content(repository, kind, digest, size)

    def image(self, repository, layer_size, manifest_size=None):
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {"Labels": {"repository": repository}},
             "rootfs": {"type": "layers", "diff_ids": []}, "history": [{"created_by": "x" * 1200}]}
        ).encode()
        blobs = (self.put("blobs", repository, [config]), self.blob(repository, layer_size, repository))
        descriptors = [
            {"mediaType": media_type, "digest": blob.digest, "size": blob.size}
            for media_type, blob in zip((CONFIG_TYPE, LAYER_TYPE), blobs)
        ]
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": descriptors[0], "layers": descriptors[1:]}
        if manifest_size:
            manifest["annotations"] = {"padding": ""}
            manifest["annotations"]["padding"] = "x" * (manifest_size - len(json.dumps(manifest)))
        content = self.put("manifests", repository, [json.dumps(manifest).encode()])
        directory = os.path.join(self.root, "v2", repository, "manifests")
        os.link(os.path.join(directory, content.digest), os.path.join(directory, "latest"))
        return Image("latest", content, blobs)


def make(root, quick):
    """Writes all of it below `root`: 1.3 GB, or 0.2 GB for a quick run."""
    writer, data = Writer(root), Dataset(root)
    data.image = writer.image("bench/manifest", 2400, manifest_size=2048)
    sizes = {"1 MiB": MIB, "64 MiB": 64 * MIB} | ({} if quick else {"1 GiB": 1024 * MIB})
    data.blobs = {label: writer.blob(label, size) for label, size in sizes.items()}
    data.small = [writer.blob(f"small {n}", 10_240) for n in range(100 if quick else 1000)]
    data.cold = writer.blob("cold", 20_000_000 if quick else 200_000_000)
    data.images = [writer.image(f"bench/tiny{n}", 2400) for n in range(10 if quick else 100)]
    return data
