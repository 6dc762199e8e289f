"""Image processing with Pillow: bytes in, bytes out."""

import io

from dirty_arbiter import DirtyApp


class Images(DirtyApp):
    def init(self):
        # A heavy library is imported where it is used, once.
        from PIL import Image

        self.image = Image

    def resize(self, image_data, width, height):
        """The image as a PNG of this size."""
        image = self.image.open(io.BytesIO(image_data)).resize((width, height))
        return self._saved(image, "PNG")

    def thumbnail(self, image_data, size=128):
        """The image as a JPEG that fits into a square."""
        image = self.image.open(io.BytesIO(image_data)).convert("RGB")
        image.thumbnail((size, size))
        return self._saved(image, "JPEG")

    def _saved(self, image, format):
        buffer = io.BytesIO()
        image.save(buffer, format=format)
        return buffer.getvalue()
