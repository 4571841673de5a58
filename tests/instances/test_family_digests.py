"""Families whose files are stored as digests: the same bytes on every platform, for ever."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ermbit_instances.families import families, generate
from ermbit_instances.families.writing import write

DIGESTS: dict[str, str] = {
    "subset_sum 0": (
        "0174b0eb882e0363d1fa612de3c9a88ab1d35d94b867b7eca76a7946c893bee7"
    ),
    "subset_sum 4 form=tied target=odd n=9 bits=40": (
        "12371634758902c25276a3f3f697fd3caad4bf9daf4e36842ad76aa5281cc7d9"
    ),
    "subset_sum 2 form=step domain=rational:2 target=random": (
        "1a500b459b4233abe2aa1a1ee345c460e3aa8a83a3d1fbb24ed2bcb71f3637ec"
    ),
    "set_splitting 1": (
        "88b4c0057e1739d38c2ef16dfc24277996d861cef3104f29c992b8e8b6b46621"
    ),
    "set_splitting 5 form=frozen hypergraph=planted:12:20:4": (
        "ce2b0ca51019a87f87f7bbea24d821c919e8fd2149d60d56978bf2570487fa5b"
    ),
    "coloring 2": (
        "be6b84238f686986dee807365a927f94d31663fb8632d1471b20b94f18a10c4b"
    ),
    "coloring 7 form=free hypergraph=random:8:6:3 colors=2": (
        "f0391ca343e72860ddea251ef8fe1f1764eff4a6018bb53da55b3249bd9a6264"
    ),
    "near_teacher 0": (
        "a1d029e411c0f181ad5fc3e5512d6c30f18779468a9af978bc39dd1e5f5463f1"
    ),
    "near_teacher 3 kind=contradicted loss=zero_one outputs=3 hidden=3-2 wrong=3": (
        "13402c85b0872a554eff77cdbe7797f03c4cf176df7a41c8e2c6efb73069c382"
    ),
    "near_teacher 1 loss=squared factor=1/2 activation=step domain=fp8_e4m3": (
        "b876f925871cf70a063be674793e15490e9e3c4a6b4714389482f0e325309b25"
    ),
    "majority 0": (
        "ba23d9b863657d7e9c5b364851c574363d567aa5b076451381c1ce54afdd2291"
    ),
    "majority 2 bits=40 samples=9 loss=hinge activation=sign": (
        "bf0af9ab272f0e709c705b4972c5af2a350b76faa49a9184fc95cd2df1638f06"
    ),
    "boolean_function 0": (
        "4fe7264cb73ebfa03837834afe4bd4525e30fe94d8b27f563555ea93a0bab24b"
    ),
    "boolean_function 5 n=2 hidden=2 domain=ternary": (
        "2ab883037d2ae250f1e55b175673dc54fae20b0728fb47b1d6fb867a1056c391"
    ),
    "boolean_function 0 table=0x1ee8 activation=step hidden=8": (
        "e9f16d0d77ebc9e228ed25bf4586e29f1144ad53d9bccf59f41d23ebfdd26836"
    ),
    "interpolation 0 samples=3": (
        "f3d8f79e45f805973bbb97cc6d965db5fee99de64c38a978c079ddd251632b96"
    ),
    "interpolation 9 hidden=5-3 outputs=2 activation=abs label_denominator=7 domain=int:-3:3": (
        "12dd8ef8171631959e697155c0e2ef282da843d74afbe5e390a91d23461bfb54"
    ),
    "halfspaces 0": (
        "36fa38f7912fa9f9ff4e72bb8c83b2e019d62fad30aadd657108f92f2e6f1f99"
    ),
    "halfspaces 6 labels=random inputs=2 bias=no threshold=4 data_low=-2 domain=ternary": (
        "cde99871f74ae124379f1e84ffad89d17265ffd83e55327560832954733d5445"
    ),
    "vertex_cover_relu 0": (
        "88713141baefdb956f3afe3375ffe0e0255cdaee075b93a19d833c9c4c61c8d4"
    ),
    "vertex_cover_relu 3 graph=planted:3:3:4 loss=squared bias=yes threshold=tau-1": (
        "4d6bba473296e85bb938e80212a84e8b4de4fe3b3dcb9e69614f486e692cd05b"
    ),
    "vertex_cover_relu 0 graph=paley:13 threshold=tau-1e-12 domain=real": (
        "16f105746329a65185a1c93cbfb85c17568c1cf0910af440f848b26aa48f5d27"
    ),
    "vertex_cover_halfspace 0": (
        "452d1323aca6241c1db0b8dc956b0fcacdaa1a163ea03c38e612090c2693867e"
    ),
    "vertex_cover_halfspace 2 graph=random:7:9 bias=yes threshold=tau-1 domain=rational:2": (
        "4c303f4681831ff7fe9d263c58c8b8ebfafb46c63d04068e6de79e6c691c2e4a"
    ),
    "one_in_three 0": (
        "5807bc3c36e27d657f93716dcb64ca21b9232eb7aff75aa77e8f16789410e774"
    ),
    "one_in_three 1 form=tied triples=planted:7:5 loss=squared": (
        "b050b4bb017ef9b1b875209147b9c9b7d062a196475418127e1dd4fe34d55500"
    ),
    "one_in_three 4 form=relu triples=random:5:3:3 domain=real": (
        "23db0bfd388554f8b459e9c60b72f64ffca125a819a9832d0856dc0367a8f744"
    ),
    "one_in_three 2 form=one_sample triples=planted:5:3": (
        "e3825682be7a6660a0b48bb69f840ecf618fea711db63d77fcd4de56de6dbe79"
    ),
    "loading 0": (
        "4bf10c704545c82de1922ac6db05cabf3710c9b53ffb23f6ce93dc85b6e204d0"
    ),
    "loading 3 formula=planted:5:12:3 domain=real": (
        "387af51ede20af646e24e592900015cd9efc45f6660ce74c36d6774b1ab8d817"
    ),
    "loading 1 form=one_sample formula=random:4:7:2 loss=squared": (
        "e0abad258b9cdfb4e8bacaa98c059452e0dafc2a9800291d6b38abd9b791dbd7"
    ),
    "irrational 0": (
        "7773506355cbfb94e9253ebb7d16ee4ae71618dfc6e62604520ba48eb31b7477"
    ),
    "irrational 0 form=tower label=3/7 depth=3 loss=squared": (
        "c812d48db8fccdb5091d4c2129d1fd97ce10ea9b1603f30b89f68977ec9b0f5b"
    ),
    "irrational 0 form=shared label=2 domain=float16": (
        "7d4aad7bc535dde8d17ca854b40d4184c768fba55ef6493384a916025b74f796"
    ),
    "sum_of_square_roots 0": (
        "aef06d10802b595e47debfe2b9abacf1c9dd932701614dc8d4f387dd381aa37c"
    ),
    "sum_of_square_roots 5 terms=random n=4 bits=7": (
        "049e6bdbf2f9dd7b553f8fac785f31ce957ce80df28de4745b94273dbc5374f4"
    ),
    "sum_of_square_roots 2 form=hinge terms=tie n=4": (
        "cdc617e710f5e85a5b48a9b9fe2f77cb687e359639ec8d6db8754df17b8e14d6"
    ),
    "sum_of_square_roots 1 form=absolute terms=random n=2 bits=3": (
        "a6abfcfcf050e5d4b9e4945912ee89f9c9a17efb1ed21ec5c968db1af278cf59"
    ),
    "real_data 0 hidden=2 domain=int:-2:2": (
        "04b9b69aeb89573437c52fdf76d4f29d7c605760f7de035b357d5c04b9b12d6a"
    ),
    "real_data 4 classes=0+1-vs-2 features=all levels=4 per_class=5 loss=hinge": (
        "ab15524c154dc43eff35f48264aa66b89c0ae19d3bc9db47f4a19e744108fb5b"
    ),
    "coloring 0 hypergraph=path:4": (
        "d8a8ece877161a1bfedb8fe234c3d247c2cec50805b6b021d38a55fcb2718547"
    ),
    "coloring 0 hypergraph=cycle:5": (
        "5420b4adada0f04b4c3d57d96f676aa82f7bbe1cb9bfa8bd9fd531fd15070f0e"
    ),
    "coloring 0 hypergraph=star:4": (
        "aae35bc31a352390574962ce7e53135ff03858de82a6ec8357ac9246aa0fbca0"
    ),
    "coloring 0 hypergraph=complete:5:3": (
        "795a4b3d22d3002d829c64d05489087522385fda672fe19d8b377828f26737ce"
    ),
    "coloring 0 hypergraph=bipartite:2:3": (
        "644646b7c17a43edfd3d800ed365f450724dd529fd74dae564f0796ad29e65b0"
    ),
    "coloring 0 hypergraph=petersen": (
        "59ff465d23073f3eb36d6881d48c639ff6424ce786c547d92faf90c0418ebf3c"
    ),
    "coloring 0 hypergraph=fano": (
        "9f7b286eecbc836f8568b2aec565b594c6efaf2a708511c41b606da2efdfe80a"
    ),
    "coloring 0 hypergraph=kneser:5:2": (
        "f676c7da50b233fcb202f824912c7e77ac96e2edce26b9f1c9276e04566acf54"
    ),
    "coloring 0 hypergraph=mycielski:4": (
        "871eeecfefc96ddf2b26ef15a11df5cbf3d2485f67937b264e5a84f54f036ff4"
    ),
    "coloring 0 hypergraph=queens:4": (
        "97c4a4099863c9c25744959168ba9780b887b4a86b2ff4e42fee2fd782f9a5c1"
    ),
    "coloring 0 hypergraph=paley:13": (
        "b722550e799df758603ed397f64ad73de6e3b1f1314e26bbba62de1a067afad4"
    ),
    "coloring 0 hypergraph=waerden:8:3": (
        "e13eb46e79579257da28326c794d92c5632765b21519cc3c9e2119b412764a94"
    ),
    "coloring 0 hypergraph=schur:6": (
        "c4b9ca5ac4bb18ba1bfc94a1da954d7a07944acf8edd2f206d16148af97c78ad"
    ),
    "coloring 0 hypergraph=ramsey:4:3": (
        "948431fa9d7cfea853b9370e90b29717415ed5896232ea87b93a3650ae4efadc"
    ),
    "teacher 4 hidden=3-2 samples=5": (
        "b54933b86e4d3d76d5250beebd8e953b2a063dd1eeda0c69629416f0af0116f9"
    ),
    "parity 1 bits=3 loss=hinge": (
        "834e57ccb805e162f8f9ab673ef1081b8f2cc9d9cd9dc29a93f1baebf0b748f1"
    ),
    "random_labels 2 outputs=3 samples=6": (
        "393245fc382e39d522b11462f9fcf27af378aa4dbdcf7315ac9cafdce603bbc8"
    ),
    "posslp 3 length=8": (
        "a7f4ed83cd30ca232048fae77ecff0889232b1f1bcc7de84968516a83d5231c5"
    ),
    "permanent 5 n=3": (
        "5629bef9007a8e47404cc28c70f961b6c384e15a3ec0065d00cb5b06e5aafaf3"
    ),
}

SHIPPED: dict[str, str] = {
    "real_data 3 dataset=wine per_class=2 levels=8": (
        "4b94dff5581f9885351b1807639d0bffca59820376192d5880f7387768c83a19"
    ),
    "real_data 1 dataset=breast_cancer per_class=3 features=best:3 loss=hinge": (
        "81a5a9d52fcd82f6e09fba8431ae9b47a31ee88dc7497d4743ec292391700e40"
    ),
    "real_data 0 dataset=digits classes=3-vs-8 features=all levels=4 per_class=2 hidden=2": (
        "629edec591fd0a2b394acdbba389fc38203beac58eb30843dda4ae351626adaa"
    ),
}
"""Tables that scikit-learn ships."""


def request(text: str) -> tuple[str, int, dict[str, Any]]:
    """``FAMILY SEED NAME=VALUE ...`` as arguments."""
    family, seed, *settings = text.split(" ")
    return family, int(seed), dict(setting.split("=", 1) for setting in settings)


def digest(text: str, folder: Path) -> str:
    """SHA-256 over the names and bytes of the files that are written for a request."""
    family, seed, parameters = request(text)
    paths = write(generate(family, seed, **parameters), folder)
    names_and_bytes = b"".join(path.name.encode() + b"\0" + path.read_bytes() for path in paths)
    return hashlib.sha256(names_and_bytes).hexdigest()


@pytest.mark.parametrize("text", DIGESTS)
def test_files_are_the_same_bytes_for_ever(text: str, tmp_path: Path) -> None:
    assert digest(text, tmp_path) == DIGESTS[text]


@pytest.mark.parametrize("text", SHIPPED)
def test_shipped_tables_are_the_same_bytes_for_ever(text: str, tmp_path: Path) -> None:
    pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    assert digest(text, tmp_path) == SHIPPED[text]


def test_every_family_has_a_digest() -> None:
    assert {request(text)[0] for text in DIGESTS} == set(families())


def test_bytes_do_not_depend_on_the_order_of_sets(tmp_path: Path) -> None:
    """Python draws the hashes of strings anew for every process, and with them that order."""
    code = (
        "import pathlib, sys; import test_family_digests as here; "
        "folder = pathlib.Path(sys.argv[1]); "
        "print(hash('ermbit'), *(here.digest(text, folder) for text in here.DIGESTS))"
    )
    hashes = set()
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)],
            env={
                **os.environ,
                "PYTHONHASHSEED": seed,
                "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        own, *digests = done.stdout.split()
        hashes.add(own)
        assert digests == list(DIGESTS.values())
    assert len(hashes) == 2, "the order of sets was the same"
