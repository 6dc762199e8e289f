"""A Django view, in a project of one file.

DIRTY_SOCKET=./d.sock gunicorn django_app:application
"""

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse, StreamingHttpResponse
from django.urls import path

from dirty_arbiter import DirtyAppError, get_dirty_client

settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="an example has no secrets")


def digit(request, number):
    client = get_dirty_client()
    sample = client.execute("digits:Digits", "sample", number)
    return JsonResponse(client.execute("digits:Digits", "read", sample["pixels"]))


def read(request):
    try:
        return JsonResponse(get_dirty_client().execute("digits:Digits", "read", [1, 2, 3]))
    except DirtyAppError as error:
        return JsonResponse({"error": error.message.splitlines()[0]}, status=400)


def chat(request):
    tokens = get_dirty_client().stream("chat:Chat", "generate", request.GET["prompt"])
    return StreamingHttpResponse((f"{token} " for token in tokens), content_type="text/plain")


urlpatterns = [path("digit/<int:number>", digit), path("read", read), path("chat", chat)]
application = get_wsgi_application()
