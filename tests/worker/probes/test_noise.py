import hashlib

import numpy as np
import torch

from worker.probes.noise import gaussian, salt_pepper
from worker.probes.random_fields import field

DIGEST = hashlib.sha256(b"an image").hexdigest()


def fields_of(seed: int, digest: str, size: tuple[int, int]) -> torch.Tensor:
    return field("salt_pepper", seed, digest, size)


def test_the_random_fields_come_from_the_documented_generator() -> None:
    key = hashlib.sha256(f"salt_pepper:7:{DIGEST}".encode()).digest()[:16]
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
    u = generator.random((3, 5, 4), dtype=np.float32)
    v = generator.random((3, 5, 4), dtype=np.float32)
    assert np.array_equal(field("salt_pepper", 7, DIGEST, (5, 4)).numpy(), np.stack([u, v]))


def test_another_seed_or_image_gives_other_fields() -> None:
    first = fields_of(0, DIGEST, (4, 4))
    assert not torch.equal(first, fields_of(1, DIGEST, (4, 4)))
    assert not torch.equal(first, fields_of(0, "0" * 64, (4, 4)))


def test_a_value_is_replaced_if_u_is_below_the_amount_and_v_decides_between_salt_and_pepper() -> None:
    images = torch.rand(2, 3, 6, 6)
    fields = torch.stack([fields_of(0, str(n), (6, 6)) for n in range(2)])
    for amount in (0.25, 0.5):
        u, v = fields.numpy()[:, 0], fields.numpy()[:, 1]
        twin = np.where(u < amount, np.where(v < 0.5, 1, 0), images.numpy())
        assert np.array_equal(salt_pepper(images, fields, [amount])[0].numpy(), twin.astype(np.float32))


def test_an_amount_of_zero_changes_no_value_and_an_amount_of_one_replaces_all_values() -> None:
    images = torch.rand(1, 3, 6, 6)
    fields = fields_of(0, DIGEST, (6, 6))[None]
    none, all_of_it = salt_pepper(images, fields, (0.0, 1.0))
    assert torch.equal(none, images)
    assert set(all_of_it.unique().tolist()) == {0.0, 1.0}


def test_more_noise_also_replaces_the_values_that_less_noise_replaces() -> None:
    images = torch.full((1, 3, 16, 16), 0.5)
    few, many = salt_pepper(images, fields_of(0, DIGEST, (16, 16))[None], (0.1, 0.5))
    replaced = few != 0.5
    assert torch.equal(few[replaced], many[replaced])


def test_gaussian_noise_is_added_and_clipped() -> None:
    key = hashlib.sha256(f"gaussian:3:{DIGEST}".encode()).digest()[:16]
    generator = np.random.Generator(np.random.Philox(key=int.from_bytes(key, "little")))
    image, drawn = torch.rand(3, 5, 4), generator.standard_normal((3, 5, 4), dtype=np.float32)
    found = gaussian(image[None], field("gaussian", 3, DIGEST, (5, 4))[None], [0.4])[0][0]
    assert np.allclose(found.numpy(), np.clip(image.numpy() + 0.4 * drawn, 0, 1), atol=1e-6)
